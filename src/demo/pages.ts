import { html } from './html.ts';
import type { Html } from './html.ts';
import type { Proven } from './provider.ts';

export function welcomePage({ issuer, note }: { issuer: string; note?: string | undefined }): string {
  return page('Two Cups', html`
    <h1>A good cup is better for two.</h1>
    ${note ? html`<p class="note" role="status">${note}</p>` : html``}
    <p>Two Cups is a demonstration: a shop that lets you in by your phone. It never sees a password, and asks the provider
      at <code>${issuer}</code> who you are.</p>
    <p><a class="button" href="/sign-in">Sign in with your phone</a> <a class="button quiet" href="/pay">Pay with your balance</a></p>
    <ol>
      <li>The provider shows a QR code in this browser.</li>
      <li>Scan it with the phone app: <a href="${issuer}/phone">${issuer}/phone</a></li>
      <li>Read who asks for what, and approve.</li>
    </ol>
    <p class="small">No phone enrolled yet? Add one at <a href="${issuer}/account">${issuer}/account</a>.</p>`);
}

export function greetingPage({ visitor, issuer }: { visitor: Proven; issuer: string }): string {
  const { claims, userInfo } = visitor;
  const name = nameOf(visitor);
  return page(`Hello ${name} · Two Cups`, html`
    <h1>Hello ${name}</h1>
    <p>The provider at <code>${issuer}</code> says so, and its signature was verified.</p>
    <p><a class="button" href="/pay">Pay with your balance</a></p>
    ${table('ID token', claims)}
    ${table('UserInfo', userInfo)}
    <form method="post" action="/sign-out"><button class="button quiet">Sign out</button></form>`);
}

/** What is to be paid, before anything is asked of the provider. */
export function tillPage({ visitor, issuer }: { visitor: Proven | undefined; issuer: string }): string {
  return page('Pay with your balance · Two Cups', html`
    <h1>Two cups, € 7.00</h1>
    <p>${visitor ? `From the balance of ${nameOf(visitor)}.` : 'From your balance; paying signs you in as well.'}</p>
    <p>A password alone does not pay here. The shop asks the provider at <code>${issuer}</code> for a sign-in of the last five
      minutes with a second factor: a code of an authenticator app, or a phone that checks your finger, face or PIN.</p>
    <form method="post" action="/pay"><button class="button">Pay with your balance</button> <a class="button quiet" href="/">Back to the shop</a></form>`);
}

export function receiptPage({ by, issuer }: { by: Proven; issuer: string }): string {
  const { acr, amr, auth_time } = by.claims;
  return page('Paid · Two Cups', html`
    <h1>Paid.</h1>
    <p>Two cups for ${nameOf(by)}. The provider at <code>${issuer}</code> vouched for both factors, in an ID token that was verified:</p>
    ${table('How you signed in', { acr, amr, auth_time })}
    <p><a class="button" href="/">Back to the shop</a></p>`);
}

interface Way {
  readonly label: string;
  readonly href: string;
}

export interface Problem {
  readonly title: string;
  readonly detail: string;
  /** The ways on, beside the one back to the shop; the first is the best. */
  readonly ways?: readonly Way[];
}

export function problemPage({ title, detail, ways = [{ label: 'Try again', href: '/sign-in' }] }: Problem): string {
  const all = [...ways, { label: 'Back to the shop', href: '/' }];
  return page(`${title} · Two Cups`, html`
    <h1>${title}</h1>
    <p>${detail}</p>
    <p>${all.map(({ label, href }, index) => html`<a class="${index === 0 ? 'button' : 'button quiet'}" href="${href}">${label}</a> `)}</p>`);
}

function nameOf({ claims, userInfo }: Proven): string {
  return String([userInfo['name'], userInfo['email'], claims.sub].find((value) => typeof value === 'string' && value !== ''));
}

function table(title: string, claims: Readonly<Record<string, unknown>>): Html {
  const rows = Object.entries(claims).filter(([, value]) => value !== undefined).map(([claim, value]) => html`
      <tr><th scope="row">${claim}</th><td>${show(claim, value)}</td></tr>`);
  return html`
    <table>
      <caption>${title}</caption>
      <thead><tr><th scope="col">Claim</th><th scope="col">Value</th></tr></thead>
      <tbody>${rows}</tbody>
    </table>`;
}

/** A claim's value; instants, which are seconds since the epoch, also as a date. */
function show(claim: string, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const isTime = ['iat', 'exp', 'auth_time', 'updated_at'].includes(claim) && typeof value === 'number';
  return isTime ? `${text} (${new Date(value * 1000).toISOString()})` : text;
}

function page(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title}</title>
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  <header><a href="/">☕☕ Two Cups</a></header>
  <main>${body}
  </main>
</body>
</html>
`.html;
}

export const STYLE = `
:root { --ground: #fdf8f2; --ink: #2b211a; --soft: #6b5a4d; --line: #e3d6c8; --card: #fff; --brand: #7a3b12; --on-brand: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #1c1613; --ink: #f4ebe2; --soft: #c0ac9b; --line: #453a32; --card: #262019; --brand: #f0a868; --on-brand: #23150a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1.05rem/1.55 system-ui, sans-serif; }
header { padding: 1rem 1.25rem; font-weight: 650; }
header a { color: inherit; text-decoration: none; }
main { max-width: 44rem; margin: 1rem auto 3rem; padding: 1.75rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; }
@media (max-width: 46rem) { main { margin: 0 .75rem 2rem; } }
h1 { margin: 0 0 1rem; font-size: clamp(1.5rem, 5vw, 2.1rem); line-height: 1.2; }
a { color: var(--brand); overflow-wrap: anywhere; }
code { font-size: .95em; overflow-wrap: anywhere; }
.button { display: inline-block; margin: 0 .4rem .5rem 0; padding: .7rem 1.3rem; border: 2px solid var(--brand); border-radius: .7rem; background: var(--brand); color: var(--on-brand); font: inherit; font-weight: 650; text-decoration: none; cursor: pointer; }
.button.quiet { background: transparent; color: var(--brand); }
:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
.note { padding: .6rem .9rem; border-left: .3rem solid var(--brand); background: var(--ground); }
.small { color: var(--soft); font-size: .95rem; }
table { width: 100%; margin: 1.25rem 0; border-collapse: collapse; table-layout: fixed; }
caption { padding: .3rem 0; font-weight: 650; text-align: left; }
th, td { padding: .45rem .5rem .45rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { width: 32%; color: var(--soft); font-weight: 550; }
`;
