//go:build tools

// Package recipe only pins what the recipe builds.
package recipe

import (
	_ "github.com/rancher/local-path-provisioner"
)
