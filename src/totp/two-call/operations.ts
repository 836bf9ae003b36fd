import type { Operation } from '../../lib/http/operation.ts';
import { TWO_CALL_SCOPE, type TwoCallScope } from './scopes.ts';
import { credentials, proof, QR_PATH, VALIDATE_PATH } from './routes.ts';

/**
 * The two calls, as the document of the API tells of them; their routes keep the shape that they always had.
 *
 * @param open whether anybody may call
 */
export function twoCallOperations({ open }: { open: boolean }): readonly Operation[] {
  const elsewhere = (scope: TwoCallScope) => ({ security: [{ client: [scope] }, { basic: [] }, ...(open ? [{}] : [])] });
  const common = { method: 'POST', tag: 'Two factors', callers: 'clients', bodyTypes: ['form'] } as const;
  return [
    {
      ...common,
      path: QR_PATH,
      operationId: 'startAuthenticator',
      summary: 'Check a password, and show the QR code of an authenticator app',
      description: 'The answer\'s header `Tandem-Ticket` is what the second call needs. Where the account has an authenticator app there is no QR code: 409 tells the way on.',
      scope: TWO_CALL_SCOPE.enrol,
      body: credentials,
      answerType: 'image/png',
      errors: ['invalid_client', 'invalid_credentials', 'insufficient_scope', 'conflict', 'rate_limited'],
      elsewhere: elsewhere(TWO_CALL_SCOPE.enrol),
    },
    {
      ...common,
      path: VALIDATE_PATH,
      operationId: 'validateCode',
      summary: 'Check the code of an authenticator app',
      description: 'Answers a signed JWT; as `{"token": …}` where `Accept` asks for JSON.',
      scope: TWO_CALL_SCOPE.validate,
      body: proof,
      answerType: 'application/jwt',
      errors: ['invalid_client', 'invalid_credentials', 'insufficient_scope', 'rate_limited', 'temporarily_unavailable'],
      elsewhere: elsewhere(TWO_CALL_SCOPE.validate),
    },
  ];
}
