// kube-apiserver, unchanged: the entry point of k8s.io/kubernetes/cmd/kube-apiserver, in a module of its own, so that the
// Go module proxy and go.sum are all it takes to get a real API server for the tests. Kubernetes publishes its
// binaries on a site of its own only, which not every build machine may reach.
package main

import (
	"os"
	_ "time/tzdata"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
