import { serveLoader } from '../kernel/loader-process.ts'

serveLoader()
