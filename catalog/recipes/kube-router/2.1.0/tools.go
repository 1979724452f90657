//go:build tools

// Package recipe only pins what the recipe builds.
package recipe

import (
	_ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
)
