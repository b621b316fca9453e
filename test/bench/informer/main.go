// What script/bench api compares Routelet's client with: a client-go Node informer as flannel, kindnet and others have
// it, and nothing else. Prints JSON, one object a line, as test/bench/client.cpp does:
//
//	{"what":"listed","ms":..,"nodes":..,"rss_kb":..,"cpu_ms":..}   the informer has synced
//
// and with -follow, at its end:
//
//	{"what":"seen","sequence":..,"table_ns":..}                    for each change of an InternalIP, in its handler
//	{"what":"followed","seconds":..,"events":..,"changed":..,"cpu_ms":..,"rss_kb":..}
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"routelet/test/bench/informer/process"
	"routelet/test/bench/informer/sequence"
)

const protobuf = "application/vnd.kubernetes.protobuf"

type options struct {
	kubeconfig string
	content    string
	gzip       bool
	follow     time.Duration
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "of the API server")
	flag.StringVar(&o.content, "content", "json", "json or protobuf")
	flag.BoolVar(&o.gzip, "gzip", true, "let the server compress, as client-go does by default")
	flag.DurationVar(&o.follow, "follow", 0, "after the list, how long to watch from the first event on")
	flag.Parse()
	if o.content != "json" && o.content != "protobuf" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

// started is when the parent began to start this program, in nanoseconds of CLOCK_MONOTONIC.
func started() (int64, error) {
	text, ok := os.LookupEnv("ROUTELET_BENCH_STARTED")
	if !ok {
		return process.Now(), nil
	}
	return strconv.ParseInt(text, 10, 64)
}

// follower counts what comes once the list is complete; the window begins with the first event.
type follower struct {
	window time.Duration
	done   chan struct{}

	mutex   sync.Mutex
	begun   int64
	cpu     float64 // ms before the window
	events  int
	changed int
	seen    []any
}

type seen struct {
	What     string `json:"what"`
	Sequence int    `json:"sequence"`
	TableNs  int64  `json:"table_ns"`
}

func internalIPs(node *corev1.Node) []string {
	var ips []string
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			ips = append(ips, address.Address)
		}
	}
	return ips
}

// update is called by the informer once its store has the new state.
func (f *follower) update(before, after *corev1.Node) {
	now := process.Now()
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.begun == 0 {
		f.begun = now
		f.cpu = process.CPU()
		time.AfterFunc(f.window, func() { close(f.done) })
	}
	f.events++
	ips := internalIPs(after)
	if slices.Equal(internalIPs(before), ips) && slices.Equal(before.Spec.PodCIDRs, after.Spec.PodCIDRs) {
		return
	}
	f.changed++
	for _, ip := range ips {
		if number, ok := sequence.Of(ip); ok {
			f.seen = append(f.seen, seen{"seen", number, now})
		}
	}
}

func print(line any) error { return json.NewEncoder(os.Stdout).Encode(line) }

func (f *follower) report() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	cpu, seconds := process.CPU()-f.cpu, float64(process.Now()-f.begun)/1e9
	rss, err := process.PeakRSS()
	if err != nil {
		return err
	}
	for _, line := range f.seen {
		if err := print(line); err != nil {
			return err
		}
	}
	return print(map[string]any{"what": "followed", "seconds": seconds, "events": f.events, "changed": f.changed,
		"cpu_ms": cpu, "rss_kb": rss})
}

func run(o options, began int64) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	// Said in both cases: from 0.32 on client-go takes protobuf for built-in kinds when nothing is said.
	config.ContentType = "application/json"
	config.AcceptContentTypes = "application/json"
	if o.content == "protobuf" {
		config.ContentType = protobuf
		config.AcceptContentTypes = protobuf + ",application/json"
	}
	config.DisableCompression = !o.gzip
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Nodes().Informer()
	follow := &follower{window: o.follow, done: make(chan struct{})}
	if o.follow > 0 {
		_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			UpdateFunc: func(before, after any) { follow.update(before.(*corev1.Node), after.(*corev1.Node)) },
		})
		if err != nil {
			return err
		}
	}
	// A benchmark that retries measures the wrong thing.
	failed := make(chan error, 1)
	err = informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())

	// cache.WaitForCacheSync looks every 100 ms only; what it waits for is there sooner.
	for !informer.HasSynced() {
		select {
		case err := <-failed:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	now := process.Now()
	rss, err := process.PeakRSS()
	if err != nil {
		return err
	}
	err = print(map[string]any{"what": "listed", "ms": float64(now-began) / 1e6,
		"nodes": len(informer.GetStore().ListKeys()), "rss_kb": rss, "cpu_ms": process.CPU()})
	if err != nil || o.follow == 0 {
		return err
	}

	select {
	case err := <-failed:
		return err
	case <-follow.done:
		return follow.report()
	case <-time.After(o.follow + time.Minute):
		return fmt.Errorf("no event came in time")
	}
}

func main() {
	began, err := started()
	if err == nil {
		err = run(parseOptions(), began)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "informer:", err)
		os.Exit(1)
	}
}
