/* Settings of the running kernel, which the loader writes into a frozen map. They do not change the verdict. */
#include "program.h"

extern int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_NO_SUCH_OPTION __kconfig __weak;

__u64 older;

SEC(SECTION)
int kconfig(struct xdp_md *ctx)
{
	if (LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 0, 0) || CONFIG_NO_SUCH_OPTION)
		older += 1;
	return byte_at(ctx, 23) % 4 == 1 && !older ? XDP_DROP : XDP_PASS;
}
