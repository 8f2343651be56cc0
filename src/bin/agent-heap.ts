import { setFlagsFromString } from 'node:v8'

/**
 * Imported first, for its effect: the agent lives beside other people's services, so its heap's young generation stays at
 * its first size (1 MiB a half) rather than growing to 16 MiB. Measured: 30 MiB less resident, no slower at what it does.
 * Only before the heap has grown does the flag count.
 */
if (process.argv[2] === 'agent') setFlagsFromString('--semi-space-growth-factor=1')
