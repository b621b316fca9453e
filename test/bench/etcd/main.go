// etcd as its own project builds it. Streaming lists need one that distributions do not have yet: 3.4.31, 3.5.13 or newer.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
