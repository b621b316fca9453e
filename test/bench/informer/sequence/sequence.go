// Package sequence carries a number through the API server in a node's InternalIP: the addresses of 198.18.0.0/15
// (RFC 2544, benchmarking), in their order.
package sequence

import (
	"encoding/binary"
	"net/netip"
)

// Limit is how many numbers there are, from 0 on.
const Limit = 1 << 17

const first = 198<<24 | 18<<16

// Address says a number: 0 <= number < Limit.
func Address(number int) string {
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], first+uint32(number))
	return netip.AddrFrom4(bytes).String()
}

// Of reads it again; false for any other address.
func Of(address string) (int, bool) {
	parsed, err := netip.ParseAddr(address)
	if err != nil || !parsed.Is4() {
		return 0, false
	}
	bytes := parsed.As4()
	number := int64(binary.BigEndian.Uint32(bytes[:])) - first
	return int(number), 0 <= number && number < Limit
}
