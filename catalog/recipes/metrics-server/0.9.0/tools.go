//go:build tools

// Package recipe only pins what the recipe builds.
package recipe

import (
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
