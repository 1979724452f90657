//go:build tools

// Package recipe only pins what the recipe builds.
package recipe

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/etcdutl/v3"
)
