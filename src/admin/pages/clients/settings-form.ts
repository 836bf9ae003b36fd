import type { Metadata } from '../../../clients/types.ts';
import { linesOf, ticked, type FieldSpec, type FormValues } from '../fields.ts';
import { wrongField } from '../problems.ts';
import { stringOf, stringsOf } from './kinds.ts';

/** How a member of the metadata stands in its field. */
type Shape = 'text' | 'lines' | 'words' | 'ticks' | 'number';
interface Setting extends FieldSpec {
  readonly as: Shape;
  readonly group: SettingGroup;
  /** What RFC 7591 §2 or Tandem takes where there is none. */
  readonly otherwise?: unknown;
}

export const SETTING_GROUPS = ['shown', 'addresses', 'protocol', 'rules', 'more'] as const;
export type SettingGroup = (typeof SETTING_GROUPS)[number];

const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'];
const GRANTS = ['authorization_code', 'refresh_token', 'client_credentials'];
const address = (name: string, group: SettingGroup = 'addresses', hint = false): Setting => ({ name, kind: 'text', as: 'text', group, mono: true, hint });

/** The members of the metadata that have a field of their own; all others stand in the field `other`, as JSON. */
export const SETTINGS: readonly Setting[] = [
  { name: 'client_name', kind: 'text', as: 'text', group: 'shown', required: true, hint: true },
  address('logo_uri', 'shown', true),
  address('client_uri', 'shown'),
  address('policy_uri', 'shown'),
  address('tos_uri', 'shown'),
  { name: 'contacts', kind: 'area', as: 'lines', group: 'shown', rows: 2 },
  { name: 'redirect_uris', kind: 'area', as: 'lines', group: 'addresses', hint: true, mono: true, rows: 4, otherwise: [] },
  { name: 'post_logout_redirect_uris', kind: 'area', as: 'lines', group: 'addresses', hint: true, mono: true, rows: 2, otherwise: [] },
  address('initiate_login_uri', 'addresses', true),
  { name: 'application_type', kind: 'select', options: ['web', 'native'], as: 'text', group: 'protocol', otherwise: 'web' },
  { name: 'grant_types', kind: 'checks', options: GRANTS, as: 'ticks', group: 'protocol', otherwise: ['authorization_code'] },
  { name: 'token_endpoint_auth_method', kind: 'select', options: METHODS, as: 'text', group: 'protocol', otherwise: 'client_secret_basic' },
  address('jwks_uri', 'protocol', true),
  { name: 'scope', kind: 'text', as: 'text', group: 'protocol', hint: true, mono: true },
  { name: 'tandem_level', kind: 'select', options: ['1', '2'], as: 'number', group: 'rules', hint: true, otherwise: 1 },
  { name: 'tandem_confirm', kind: 'select', options: ['auto', 'always'], as: 'text', group: 'rules', hint: true, otherwise: 'auto' },
  { name: 'tandem_consent', kind: 'select', options: ['ask', 'implicit'], as: 'text', group: 'rules', hint: true, otherwise: 'ask' },
  { name: 'tandem_sector', kind: 'text', as: 'text', group: 'rules', hint: true, mono: true },
  { name: 'tandem_attributes', kind: 'text', as: 'words', group: 'rules', hint: true, mono: true },
  { name: 'tandem_introspects', kind: 'area', as: 'lines', group: 'rules', hint: true, mono: true, rows: 2 },
  { name: 'other', kind: 'area', as: 'text', group: 'more', hint: true, mono: true, rows: 6 },
];

/** What has a page of its own, or is no setting. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'client_id', 'client_secret', 'client_id_issued_at', 'client_secret_expires_at', 'jwks', 'registration_access_token', 'registration_client_uri', 'response_types',
  'sector_identifier_uri', 'subject_type', 'tandem_resources', ...SETTINGS.map(({ name }) => name),
]);

/** The names of the fields that the form sends. */
export const SETTING_FIELDS: readonly string[] = SETTINGS.flatMap(({ name, kind, options = [] }) => (kind === 'checks' ? options.map((option) => `${name}:${option}`) : [name]));

/** The address of the keys that the provider hosts is not the client's to set. */
const hosted = (value: unknown, hostedJwks: string) => (value === hostedJwks ? undefined : value);

/** The metadata as the form shows it. */
export function settingValues(metadata: Metadata, hostedJwks: string): FormValues {
  const values: Record<string, string> = {};
  for (const { name, as, otherwise, options = [] } of SETTINGS) {
    const value = (name === 'jwks_uri' ? hosted(metadata[name], hostedJwks) : metadata[name]) ?? otherwise;
    if (as === 'ticks') for (const option of options) values[`${name}:${option}`] = stringsOf(value).includes(option) ? 'on' : '';
    else values[name] = as === 'lines' ? stringsOf(value).join('\n') : as === 'words' ? stringsOf(value).join(' ') : stringOf(value);
  }
  const others = othersOf(metadata);
  values['other'] = Object.keys(others).length > 0 ? JSON.stringify(others, null, 2) : '';
  return values;
}

/**
 * What a form changes of the metadata: members that differ, null for those that were emptied (RFC 7396).
 *
 * @throws AppError `invalid_request` with the field
 */
export function changesOf(before: Metadata, values: FormValues, hostedJwks: string): Record<string, unknown> {
  const shown = settingValues(before, hostedJwks);
  const changes: Record<string, unknown> = {};
  for (const { name, as, kind, options = [] } of SETTINGS) {
    if (name === 'other') continue;
    const fields = kind === 'checks' ? options.map((option) => `${name}:${option}`) : [name];
    if (fields.some((field) => clean(values[field]) !== clean(shown[field]))) changes[name] = valueOf(before, name, as, options, values);
  }
  if ('grant_types' in changes) changes['response_types'] = stringsOf(changes['grant_types']).includes('authorization_code') ? ['code'] : [];
  return { ...changes, ...otherChanges(before, values['other'] ?? '') };
}

const clean = (value: string | undefined) => (value ?? '').replace(/\r\n/g, '\n').trim();

function valueOf(before: Metadata, name: string, as: Shape, options: readonly string[], values: FormValues): unknown {
  const value = values[name]?.trim() ?? '';
  if (as === 'ticks') {
    // What has no box of its own stays.
    const kept = stringsOf(before[name]).filter((each) => !options.includes(each));
    return [...ticked(values, name, options), ...kept];
  }
  if (as === 'lines') return linesOf(value);
  if (value === '') return null;
  if (as === 'words') return value.split(/[\s,]+/).filter(Boolean);
  return as === 'number' ? Number(value) : value;
}

const othersOf = (metadata: Metadata) => Object.fromEntries(Object.entries(metadata).filter(([name, value]) => !ELSEWHERE.has(name) && value !== undefined));

function otherChanges(before: Metadata, text: string): Record<string, unknown> {
  const [old, now] = [othersOf(before), parsed(text)];
  const own = Object.keys(now).find((name) => ELSEWHERE.has(name));
  if (own !== undefined) throw wrongField('other', `${own} is not set here`);
  const changes: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (JSON.stringify(old[name]) !== JSON.stringify(now[name])) changes[name] = now[name] ?? null;
  }
  return changes;
}

function parsed(text: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrongField('other', 'this is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongField('other', 'this must be a JSON object');
  return value as Record<string, unknown>;
}
