// Package examples holds programs that use Gatehouse, each in a folder of its own that can be copied out of here: notes adds to
// Gatehouse's API; flask, fastapi, node and go are services that accept its access tokens; codegen generates types.
// The tests here start them all.
//
// It must never hold anything that Gatehouse needs.
package examples
