//go:build race

package server

// slowdown is how much longer everything takes in this binary: the race detector looks at every access to memory.
const slowdown = 5
