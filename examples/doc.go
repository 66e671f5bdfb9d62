// Package examples holds programs that use Gatehouse, each in a folder of its own that can be copied out of here: notes adds to
// Gatehouse's API; flask, fastapi, node and go are services that accept its access tokens; react-apollo and react-urql are a web
// page on its API; codegen generates types. The tests here start them all but the pages, which those in tools drive in a browser.
//
// It must never hold anything that Gatehouse needs.
package examples
