package main

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const imageLimit = 50 // the kubelet's default --node-status-max-images

func nodeName(index int) string { return fmt.Sprintf("node-%06d.example.internal", index) }

// address is the one that is `offset` behind `first`.
func address(first [4]byte, offset int) string {
	number := uint32(first[0])<<24 | uint32(first[1])<<16 | uint32(first[2])<<8 | uint32(first[3])
	number += uint32(offset)
	return netip.AddrFrom4([4]byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)}).String()
}

// realisticNode is a Node of some 18 kB as JSON, of which the API server adds the managedFields. Pods are of
// 10.0.0.0/8, nodes of 172.16.0.0/12.
func realisticNode(index int) *corev1.Node {
	podCIDR := address([4]byte{10, 0, 0, 0}, 256*index) + "/24"
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName(index), Labels: labels(index), Annotations: annotations(index)},
		Spec: corev1.NodeSpec{
			PodCIDR:    podCIDR,
			PodCIDRs:   []string{podCIDR},
			ProviderID: fmt.Sprintf("example://region-one-a/instance-%016x", index),
		},
		Status: corev1.NodeStatus{
			Capacity:    resources(),
			Allocatable: resources(),
			Conditions:  conditions(time.Now(), time.Now()),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: address([4]byte{172, 16, 1, 0}, index)},
				{Type: corev1.NodeHostName, Address: nodeName(index)},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			NodeInfo:        systemInfo(index),
			Images:          images(),
		},
	}
}

func labels(index int) map[string]string {
	return map[string]string{
		"beta.kubernetes.io/arch":                  "amd64",
		"beta.kubernetes.io/instance-type":         "standard-8-32",
		"beta.kubernetes.io/os":                    "linux",
		"failure-domain.beta.kubernetes.io/region": "region-one",
		"failure-domain.beta.kubernetes.io/zone":   "region-one-a",
		"kubernetes.io/arch":                       "amd64",
		"kubernetes.io/hostname":                   nodeName(index),
		"kubernetes.io/os":                         "linux",
		"node-role.kubernetes.io/worker":           "",
		"node.kubernetes.io/instance-type":         "standard-8-32",
		"topology.kubernetes.io/region":            "region-one",
		"topology.kubernetes.io/zone":              "region-one-a",
	}
}

func annotations(index int) map[string]string {
	return map[string]string{
		"csi.volume.kubernetes.io/nodeid": fmt.Sprintf(
			`{"csi.example.com":"region-one-a/instance-%016x","nfs.csi.example.com":"instance-%d"}`, index, index),
		"kubeadm.alpha.kubernetes.io/cri-socket":                 "unix:///run/containerd/containerd.sock",
		"node.alpha.kubernetes.io/ttl":                           "300",
		"volumes.kubernetes.io/controller-managed-attach-detach": "true",
	}
}

// annotateForFlannel adds what flannel's agent on that node would write, and the others go by.
func annotateForFlannel(node *corev1.Node) {
	node.Annotations["flannel.alpha.coreos.com/backend-data"] = "null"
	node.Annotations["flannel.alpha.coreos.com/backend-type"] = "host-gw"
	node.Annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true"
	node.Annotations["flannel.alpha.coreos.com/public-ip"] = node.Status.Addresses[0].Address
}

func resources() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("8"),
		corev1.ResourceEphemeralStorage: resource.MustParse("203056560Ki"),
		"hugepages-1Gi":                 resource.MustParse("0"),
		"hugepages-2Mi":                 resource.MustParse("0"),
		corev1.ResourceMemory:           resource.MustParse("32869268Ki"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
}

// conditions are a healthy node's: as its kubelet wrote them at `heartbeat`, unchanged since `transition`.
func conditions(heartbeat, transition time.Time) []corev1.NodeCondition {
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: kind, Status: status, Reason: reason, Message: message,
			LastHeartbeatTime: metav1.NewTime(heartbeat), LastTransitionTime: metav1.NewTime(transition),
		}
	}
	return []corev1.NodeCondition{
		condition("NetworkUnavailable", "False", "RoutesProgrammed", "routes to all nodes are in the kernel"),
		condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
		condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
		condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
		condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
	}
}

func systemInfo(index int) corev1.NodeSystemInfo {
	return corev1.NodeSystemInfo{
		MachineID:               fmt.Sprintf("0123456789abcdef%016x", index),
		SystemUUID:              fmt.Sprintf("01234567-89ab-cdef-0123-%012x", index),
		BootID:                  fmt.Sprintf("fedcba98-7654-3210-fedc-%012x", index),
		KernelVersion:           "6.1.0-28-amd64",
		OSImage:                 "Debian GNU/Linux 12 (bookworm)",
		ContainerRuntimeVersion: "containerd://2.0.5",
		KubeletVersion:          "v1.34.4",
		OperatingSystem:         "linux",
		Architecture:            "amd64",
	}
}

func images() []corev1.ContainerImage {
	all := make([]corev1.ContainerImage, imageLimit)
	for i := range all {
		name := fmt.Sprintf("registry.region-one.example.com/organisation/platform/team/project/image-%d", i)
		digest := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		all[i] = corev1.ContainerImage{
			Names:     []string{name + "@sha256:" + digest, fmt.Sprintf("%s:v1.2.%d", name, i)},
			SizeBytes: int64(123456789 + i),
		}
	}
	return all
}
