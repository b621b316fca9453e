#include "netlink/message.h"
