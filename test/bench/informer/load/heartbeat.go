package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"routelet/test/bench/informer/process"
	"routelet/test/bench/informer/sequence"
)

type sent struct {
	What       string `json:"what"`
	Sequence   int    `json:"sequence"`
	SentNs     int64  `json:"sent_ns"`
	AnsweredNs int64  `json:"answered_ns"`
}

// sender makes status updates at the times that they are due, whatever became of those before.
type sender struct {
	client kubernetes.Interface
	nodes  int

	mutex  sync.Mutex
	sent   []sent
	beats  int
	latest time.Duration // behind its time
}

// patch is a strategic merge patch of a Node's status, as a kubelet's.
func (s *sender) patch(ctx context.Context, node int, status any) error {
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = s.client.CoreV1().Nodes().Patch(ctx, nodeName(node), types.StrategicMergePatchType, body,
		metav1.PatchOptions{}, "status")
	return err
}

// beat is the periodic one, as kubelet's nodeutil.PatchNodeStatus writes it: nothing but times.
func (s *sender) beat(ctx context.Context, number int) error {
	var order, times []map[string]string
	now := time.Now().UTC().Format(time.RFC3339)
	for _, condition := range conditions(time.Time{}, time.Time{}) {
		kind := string(condition.Type)
		order = append(order, map[string]string{"type": kind})
		if kind != "NetworkUnavailable" { // not the kubelet's own
			times = append(times, map[string]string{"type": kind, "lastHeartbeatTime": now})
		}
	}
	err := s.patch(ctx, number%s.nodes, map[string]any{"$setElementOrder/conditions": order, "conditions": times})
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.beats++
	return err
}

func (s *sender) change(ctx context.Context, number int) error {
	addresses := []map[string]string{{"type": "InternalIP", "address": sequence.Address(number)}}
	before := process.Now()
	err := s.patch(ctx, number*7%s.nodes, map[string]any{"addresses": addresses})
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.sent = append(s.sent, sent{"sent", number, before, process.Now()})
	return err
}

// every calls `send` with 0, 1, ... `rate` times a second until `end`. Each in a goroutine of its own.
func (s *sender) every(ctx context.Context, group *errgroup.Group, rate int, begin, end time.Time,
	send func(context.Context, int) error) {
	for number := 0; ctx.Err() == nil; number++ {
		due := begin.Add(time.Duration(number) * time.Second / time.Duration(rate))
		if due.After(end) {
			return
		}
		time.Sleep(time.Until(due))
		s.mutex.Lock()
		s.latest = max(s.latest, time.Since(due))
		s.mutex.Unlock()
		group.Go(func() error { return send(ctx, number) })
	}
}

func heartbeat(ctx context.Context, client kubernetes.Interface, o options) error {
	if int(o.duration.Seconds()+1)*o.relevant >= sequence.Limit {
		return fmt.Errorf("%d updates that matter a second for %s are more than %d", o.relevant, o.duration, sequence.Limit)
	}
	s := &sender{client: client, nodes: o.nodes}
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	end := begin.Add(o.duration)
	group.Go(func() error {
		s.every(ctx, group, o.rate, begin, end, s.beat)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, group, o.relevant, begin, end, s.change)
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for _, line := range s.sent {
		if err := print(line); err != nil {
			return err
		}
	}
	return print(map[string]any{"what": "load", "heartbeats": s.beats, "seconds": time.Since(begin).Seconds(),
		"latest_ms": float64(s.latest.Microseconds()) / 1e3})
}
