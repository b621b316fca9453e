#include "netlink/address.h"
