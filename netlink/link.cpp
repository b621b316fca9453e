#include "netlink/link.h"
