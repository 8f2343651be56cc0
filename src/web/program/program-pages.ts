import type { Services } from '../../http/services.ts'
import { describing } from '../../registry/release-bytes.ts'
import type { Site } from '../site.ts'
import { comparePage } from './compare-page.ts'
import { configurationPage } from './configuration-page.ts'
import { contentsPage } from './contents-page.ts'
import { overviewPage } from './overview-page.ts'
import { permissionsPage } from './permissions-page.ts'
import { verifyPage } from './verify-page.ts'
import { versionsPage } from './versions-page.ts'

/** All pages of a program and its releases. */
export function programPages(site: Site, services: Services): void {
  const describe = describing(services.blobs)
  overviewPage(site, services)
  contentsPage(site, services, describe)
  permissionsPage(site, services)
  configurationPage(site, services)
  versionsPage(site, services)
  comparePage(site, services, describe)
  verifyPage(site, services)
}
