import { z } from 'zod';
import { METADATA } from '../clients/schema.ts';

/** How long the label of a token may be. */
export const LONGEST_LABEL = 100;
/** Seconds that a token may live. */
export const LIFE = { shortest: 60, longest: 30 * 86_400 } as const;

/** A host name, or `*.` and the one that it is below. */
const HOST = /^(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;
/** RFC 6749 §3.3 */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

const names = z.array(z.string().min(1).max(100)).min(1, 'names one at least, or is left out').max(50);
const { tandem_attributes, tandem_confirm, tandem_level, tandem_resources, tandem_sector } = METADATA;

/** The members of a policy, as they are sent. */
export const POLICY = {
  grantTypes: names.optional(),
  authMethods: names.optional().describe('Methods of client authentication'),
  redirectHosts: z
    .array(z.string().max(255).transform(hostName).refine((host) => HOST.test(host), 'is a host such as shop.example, or *.shop.example'))
    .min(1)
    .max(50)
    .optional()
    .describe('Hosts of redirect URIs: `shop.example`, or `*.shop.example`'),
  scopes: z.array(z.string().regex(SCOPE, 'is the name of a scope')).max(50).optional().describe('Scopes of the provider: `openid`, `offline_access`, …'),
  metadata: z
    .strictObject({
      tandem_attributes: tandem_attributes.optional(),
      tandem_confirm: tandem_confirm.optional(),
      tandem_level: tandem_level.optional(),
      tandem_resources: tandem_resources.optional(),
      tandem_sector: tandem_sector.optional(),
    })
    .optional()
    .describe('What the client is given'),
} as const;

/** As a URL spells it: in lower case, and in ASCII (RFC 5890). */
function hostName(host: string): string {
  const [below, name] = host.startsWith('*.') ? ['*.', host.slice(2)] : ['', host];
  return /^[^\s/?#@:\\]+$/.test(name) && URL.canParse(`https://${name}`) ? below + new URL(`https://${name}`).hostname : host;
}
