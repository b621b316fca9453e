// flannel's agent with the backend host-gw, of flannel's own packages: what flanneld with -kube-subnet-mgr runs for its
// routes. flanneld itself would bring in the backends for clouds, and their libraries; left out besides those are
// masquerade, and the file for flannel's CNI plugin, neither of which the routes wait for.
//
//	flannel -kubeconfig FILE -net-config FILE -address ADDRESS
//
// NODE_NAME says which node it is.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
)

const annotations = "flannel.alpha.coreos.com" // flanneld's default prefix

type options struct {
	kubeconfig, netConfig, address string
}

func run(ctx context.Context, o options) error {
	subnets, err := kube.NewSubnetManager(ctx, "", o.kubeconfig, annotations, o.netConfig, false)
	if err != nil {
		return err
	}
	config, err := subnets.GetNetworkConfig(ctx)
	if err != nil {
		return err
	}
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return err
	}
	iface, err := ipmatch.LookupExtIface(o.address, "", "", family, ipmatch.PublicIPOpts{PublicIP: o.address})
	if err != nil {
		return err
	}
	hostGateway, err := backend.NewManager(ctx, subnets, iface).GetBackend(config.BackendType)
	if err != nil {
		return err
	}
	network, err := hostGateway.RegisterNetwork(ctx, &sync.WaitGroup{}, config)
	if err != nil {
		return err
	}
	network.Run(ctx)
	return nil
}

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "of somebody who may patch nodes")
	flag.StringVar(&o.netConfig, "net-config", "", "flannel's net-conf.json")
	flag.StringVar(&o.address, "address", "", "this node's")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "flannel:", err)
		os.Exit(1)
	}
}
