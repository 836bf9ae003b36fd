import { z, type ZodType } from 'zod';

export type JsonSchema = Record<string, unknown>;

export interface SchemaWriter {
  /** The JSON Schema of what is sent (`input`) or of what is answered (`output`). Those with an id of their own (`.meta({ id })`) are referred to. */
  write(schema: ZodType, io: 'input' | 'output', owner: string): JsonSchema;
  /** What was referred to, by name. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

/** Writes the schemas that validate as JSON Schema 2020-12, which is that of OpenAPI 3.1. */
export function createSchemaWriter(): SchemaWriter {
  const components: Record<string, JsonSchema> = {};

  /** Input and output of one schema may differ; then each has its own name. */
  function nameOf(id: string, schema: JsonSchema, io: 'input' | 'output', owner: string): string {
    // Those that refer to themselves, and have no name.
    const wanted = id.startsWith('__') ? `${owner}${id.replaceAll('_', '')}` : id;
    const same = (name: string) => components[name] === undefined || JSON.stringify(components[name]) === JSON.stringify(schema);
    if (same(wanted)) return wanted;
    return io === 'input' ? `${wanted}Input` : `${wanted}Output`;
  }

  return {
    components,
    write(schema, io, owner) {
      const { $schema: _, $defs = {}, ...written } = z.toJSONSchema(schema, {
        target: 'draft-2020-12',
        io,
        // Dates and the like are told as what they are checked to be elsewhere.
        unrepresentable: 'any',
        override: ({ jsonSchema }) => tidy(jsonSchema as JsonSchema, io),
      }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
      const names: Record<string, string> = {};
      for (const [id, definition] of Object.entries($defs)) names[id] = nameOf(id, refer(definition, {}), io, owner);
      for (const [id, definition] of Object.entries($defs)) components[names[id]!] = refer(definition, names);
      return refer(written, names);
    },
  };
}

/** References are to the document's components, of which a schema that is written alone knows nothing. */
function refer(schema: JsonSchema, names: Readonly<Record<string, string>>): JsonSchema {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    if (key !== '$ref' || typeof value !== 'string' || !value.startsWith('#/$defs/')) return value;
    const id = value.slice('#/$defs/'.length);
    return `#/components/schemas/${names[id] ?? id}`;
  }) as JsonSchema;
}

function tidy(schema: JsonSchema, io: 'input' | 'output'): void {
  // An answer may have further members one day: who reads it is not to refuse them.
  if (io === 'output' && schema['additionalProperties'] === false) delete schema['additionalProperties'];
  // The bounds of whole numbers in JavaScript say nothing about a field.
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
}
