//go:build tools

// Package recipe only pins what the recipe builds.
package recipe

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
