//go:build !race

package server

// slowdown is how much longer everything takes in this binary.
const slowdown = 1
