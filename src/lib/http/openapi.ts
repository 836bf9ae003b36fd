import type { ZodObject, ZodType } from 'zod';
import { statusOf, type ErrorCode } from '../../errors.ts';
import { createSchemaWriter, type JsonSchema, type SchemaWriter } from './openapi-schemas.ts';
import type { Callers, Operation } from './operation.ts';
import { parametersOf, strict } from './parsing.ts';
import { PROBLEM_TYPE, problemType, titleOf } from './problem.ts';

export interface OpenApiOptions {
  readonly issuer: string;
  /** The resource indicator for which access tokens are asked. */
  readonly resource: string;
  readonly title: string;
  readonly version: string;
  /** The words of each scope. */
  readonly scopes: Readonly<Record<string, string>>;
  readonly tokenUrl: string;
  readonly authorizationUrl: string;
}

/** The names of the security schemes. */
const SCHEMES = { client: 'client', administrator: 'administrator', basic: 'basic' } as const;

const PROBLEM = {
  type: 'object',
  description: 'Problem details (RFC 9457), with the members that OAuth clients read beside them',
  properties: {
    type: { type: 'string', format: 'uri', description: 'Names the kind of problem', examples: [problemType('insufficient_scope')] },
    title: { type: 'string', examples: [titleOf('insufficient_scope')] },
    status: { type: 'integer', examples: [403] },
    detail: { type: 'string', description: 'For the developer who meets it' },
    error: { type: 'string', description: 'A stable code', examples: ['insufficient_scope'] },
    error_description: { type: 'string', description: 'The same as `detail`' },
    scope: { type: 'string', description: 'What is lacking' },
    errors: {
      type: 'array',
      description: 'All that is wrong with a request, with a JSON Pointer to where',
      items: { type: 'object', properties: { detail: { type: 'string' }, pointer: { type: 'string' } }, required: ['detail', 'pointer'] },
    },
    reference: { type: 'string', description: 'Under which the log of the provider tells what went wrong' },
  },
  required: ['type', 'title', 'status', 'detail', 'error', 'error_description'],
};

const ERROR = {
  type: 'object',
  description: 'An error as OAuth tells it (RFC 6749 §5.2)',
  properties: { error: { type: 'string' }, error_description: { type: 'string' } },
  required: ['error', 'error_description'],
};

/** The OpenAPI 3.1 document of these operations, from the schemas that validate them. */
export function openApiOf(operations: readonly Operation[], { issuer, resource, title, version, scopes, tokenUrl, authorizationUrl }: OpenApiOptions): JsonSchema {
  const writer = createSchemaWriter();
  const paths: Record<string, Record<string, unknown>> = {};
  const statuses = new Set<number>();
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[operation.method.toLowerCase()] = describe(operation, writer, statuses);
  }
  const legacy = operations.some(({ elsewhere }) => elsewhere);
  const wordsOf = (kinds: readonly Callers[]) => {
    const asked = new Set(operations.flatMap(({ callers, scope }) => (kinds.includes(callers) && scope !== undefined ? [scope] : [])));
    return Object.fromEntries(Object.entries(scopes).filter(([scope]) => asked.has(scope)));
  };
  return {
    openapi: '3.1.1',
    info: { title, version, description: `Access tokens are asked for with \`resource=${resource}\` (RFC 8707) and the scope of the operation; a client may ask for those that it was given.` },
    servers: [{ url: issuer }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        [SCHEMES.client]: { type: 'oauth2', description: 'A client that acts for itself', flows: { clientCredentials: { tokenUrl, scopes: wordsOf(['clients', 'administrators']) } } },
        [SCHEMES.administrator]: {
          type: 'oauth2',
          description: 'An administrator, signed in with two factors (`acr_values=urn:tandem:acr:2`), by a client that has the scope',
          flows: { authorizationCode: { authorizationUrl, tokenUrl, scopes: wordsOf(['administrators']) } },
        },
        ...(legacy && { [SCHEMES.basic]: { type: 'http', scheme: 'basic', description: 'Client id and secret (RFC 6749 §2.3.1)' } }),
      },
      responses: Object.fromEntries([...statuses].sort().map((status) => [responseName(status), problemResponse(status)])),
      schemas: { Problem: PROBLEM, ...(legacy && { Error: ERROR }), ...writer.components },
    },
  };
}

function describe(operation: Operation, writer: SchemaWriter, statuses: Set<number>): JsonSchema {
  const { operationId, tag, summary, description, body } = operation;
  const parameters = [
    ...pathParameters(operation, writer),
    ...otherParameters('query', operation.query, writer, operationId),
    ...otherParameters('header', operation.headers, writer, operationId),
  ];
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: securityOf(operation),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: bodyOf(operation, body, writer) }),
    responses: { ...success(operation, writer), ...failures(operation, statuses) },
  };
}

function securityOf({ callers, scope, elsewhere }: Operation) {
  if (elsewhere) return elsewhere.security;
  if (callers === 'public' || scope === undefined) return [];
  const byClient = { [SCHEMES.client]: [scope] };
  return callers === 'clients' ? [byClient] : [byClient, { [SCHEMES.administrator]: [scope] }];
}

function pathParameters({ path, params, operationId }: Operation, writer: SchemaWriter) {
  return parametersOf(path).map((name) => {
    const schema = params?.shape[name] as ZodType | undefined;
    return { name, in: 'path', required: true, schema: schema ? writer.write(schema, 'input', operationId) : { type: 'string' } };
  });
}

/** As the numbers and booleans that they stand for, though all of a URL is text. */
function otherParameters(where: 'query' | 'header', shape: ZodObject | undefined, writer: SchemaWriter, owner: string) {
  return Object.entries(shape?.shape ?? {}).map(([name, each]) => {
    const required = !(each as ZodType).safeParse(undefined).success;
    const { description, ...schema } = writer.write(each as ZodType, 'output', owner);
    return { name, in: where, ...(description !== undefined && { description }), ...(required && { required }), schema };
  });
}

const MEDIA_TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' } as const;

function bodyOf({ operationId, bodyTypes = ['json'], example }: Operation, body: ZodType, writer: SchemaWriter) {
  const schema = writer.write(strict(body), 'input', operationId);
  const media = { schema, ...(example?.body !== undefined && { example: example.body }) };
  return { required: !body.safeParse({}).success, content: Object.fromEntries(bodyTypes.map((type) => [MEDIA_TYPES[type], media])) };
}

function success({ operationId, answer, answerType, status, example }: Operation, writer: SchemaWriter) {
  const code = status ?? (answer || answerType !== undefined ? 200 : 204);
  const content = answer
    ? { 'application/json': { schema: writer.write(answer, 'output', operationId), ...(example?.answer !== undefined && { example: example.answer }) } }
    : answerType !== undefined && { [answerType]: { schema: { type: 'string', ...(!answerType.startsWith('text/') && { contentMediaType: answerType }) } } };
  return { [code]: { description: code === 204 ? 'Done' : code === 201 ? 'Made' : 'Answered', ...(content && { content }) } };
}

/** What every operation may answer, and what this one may. */
function codesOf({ callers, scope, params, path, body, method, errors = [], elsewhere }: Operation): Array<ErrorCode | 'server_error'> {
  const guarded = callers !== 'public' && scope !== undefined && !elsewhere;
  const sends = body !== undefined || ['POST', 'PUT', 'PATCH'].includes(method);
  const codes: Array<ErrorCode | 'server_error'> = [
    'invalid_request',
    ...(guarded ? (['missing_token', 'invalid_token', 'invalid_dpop_proof', 'insufficient_scope'] as const) : []),
    ...(guarded && callers === 'administrators' ? (['insufficient_user_authentication', 'access_denied'] as const) : []),
    ...(params && path.includes(':') ? (['not_found'] as const) : []),
    ...(sends ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...errors,
    'server_error',
  ];
  return [...new Set(codes)];
}

function failures(operation: Operation, statuses: Set<number>) {
  const byStatus = new Map<number, string[]>();
  for (const code of codesOf(operation)) {
    const status = code === 'server_error' ? 500 : statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
    if (!operation.elsewhere) statuses.add(status);
  }
  return Object.fromEntries([...byStatus].map(([status, codes]) => {
    const description = codes.map((code) => `\`${code}\``).join(', ');
    if (operation.elsewhere) return [status, { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } }];
    return [status, { $ref: `#/components/responses/${responseName(status)}`, description }];
  }));
}

const RESPONSES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'ContentTooLarge',
  415: 'UnsupportedMediaType',
  422: 'UnprocessableContent',
  423: 'Locked',
  429: 'TooManyRequests',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
};

const responseName = (status: number): string => RESPONSES[status] ?? `Status${status}`;

function problemResponse(status: number) {
  const header = (description: string) => ({ description, schema: { type: 'string' } });
  const headers = {
    ...((status === 401 || status === 403) && { 'WWW-Authenticate': header('What to ask for (RFC 6750 §3, RFC 9470)') }),
    ...((status === 429 || status === 423 || status === 503) && { 'Retry-After': header('Seconds') }),
  };
  return {
    description: titleOf(responseName(status).replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)),
    ...(Object.keys(headers).length > 0 && { headers }),
    content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}
