// The load of script/bench api on a real API server: Node objects as kubelets make them, and their status updates.
//
//	load create    -kubeconfig FILE -nodes N [-flannel]
//	load heartbeat -kubeconfig FILE -nodes N -rate 200 -relevant 5 -for 30s
//
// heartbeat prints JSON, one object a line, times in nanoseconds of CLOCK_MONOTONIC:
//
//	{"what":"sent","sequence":..,"sent_ns":..,"answered_ns":..}            for each update that matters to routing
//	{"what":"load","heartbeats":..,"seconds":..,"latest_ms":..}            latest: behind its time, at worst
//
// With -flannel the nodes carry the annotations that flannel's agents with the backend host-gw leave on theirs.
// Each update that matters gives its node another InternalIP, which is its sequence number (package sequence).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	protobuf = "application/vnd.kubernetes.protobuf"
	creators = 32 // at a time
)

type options struct {
	kubeconfig     string
	nodes          int
	rate, relevant int // a second
	duration       time.Duration
	flannel        bool
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: load create|heartbeat -kubeconfig FILE -nodes N [-rate N -relevant N -for TIME]")
	os.Exit(2)
}

func parse() (string, options) {
	if len(os.Args) < 2 {
		usage()
	}
	var o options
	flags := flag.NewFlagSet("load "+os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "of an administrator")
	flags.IntVar(&o.nodes, "nodes", 5000, "how many there are to be")
	flags.BoolVar(&o.flannel, "flannel", false, "create them with flannel's annotations")
	flags.IntVar(&o.rate, "rate", 200, "status updates a second that do not matter to routing")
	flags.IntVar(&o.relevant, "relevant", 5, "status updates a second that do")
	flags.DurationVar(&o.duration, "for", 30*time.Second, "how long")
	if flags.Parse(os.Args[2:]) != nil || flags.NArg() > 0 || o.nodes < 1 || o.rate < 1 || o.relevant < 1 {
		usage()
	}
	return os.Args[1], o
}

func connect(o options) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf + ",application/json"
	config.QPS = -1                      // no limit
	config.UserAgent = "kubelet/v1.34.4" // who the managedFields say it was
	return kubernetes.NewForConfig(config)
}

func create(ctx context.Context, client kubernetes.Interface, o options) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for index := range o.nodes {
		group.Go(func() error {
			node := realisticNode(index)
			if o.flannel {
				annotateForFlannel(node)
			}
			_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}

func print(line any) error { return json.NewEncoder(os.Stdout).Encode(line) }

func run() error {
	what, o := parse()
	client, err := connect(o)
	if err != nil {
		return err
	}
	switch what {
	case "create":
		return create(context.Background(), client, o)
	case "heartbeat":
		return heartbeat(context.Background(), client, o)
	}
	usage()
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
