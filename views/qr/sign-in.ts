import { create } from 'qrcode';
import { endingOf, isLive, type State } from '../../src/qr/transaction/states.ts';

/**
 * The QR panel of the sign-in page: starts a transaction, draws its frames, and shows each state as it comes. News
 * arrive over an event stream, or by asking now and then where streams do not get through.
 */
interface News {
  readonly state: State;
  readonly expires_in: number;
  readonly reason?: string;
  readonly renew?: boolean;
  readonly frame?: string;
  readonly user_code?: string;
  readonly interval?: number;
}

interface Refusal {
  readonly error?: string;
  readonly tries_left?: number;
  readonly state?: State;
  readonly reason?: string;
}

/** Two pages that were opened at the very same time each got a cookie, and one of them lost: loaded again, it has the other's. */
function reloadOnce(): boolean {
  const key = `tandem-reloaded ${location.pathname}`;
  if (sessionStorage.getItem(key)) return false;
  sessionStorage.setItem(key, '1');
  location.reload();
  return true;
}

/** Draws the text as one path: dark on white with a quiet zone of four modules, whatever the theme. */
function draw(svg: Element, text: string) {
  const { modules } = create(text, { errorCorrectionLevel: 'M' });
  const size = modules.size;
  let path = '';
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) if (modules.get(y, x)) path += `M${x + 4} ${y + 4}h1v1h-1z`;
  }
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  node.setAttribute('d', path);
  svg.setAttribute('viewBox', `0 0 ${size + 8} ${size + 8}`);
  svg.setAttribute('shape-rendering', 'crispEdges');
  svg.replaceChildren(node);
}

function panel(root: HTMLElement) {
  const base = root.dataset['base'] ?? '';
  const csrf = root.querySelector<HTMLInputElement>('[data-token] input')?.value ?? '';
  const find = <E extends Element = HTMLElement>(selector: string) => root.querySelector<E>(selector);
  const [live, again, cancel, actions] = [find('[data-live]'), find('[data-again]'), find('[data-cancel]'), find('[data-actions]')];
  const confirmForm = find<HTMLFormElement>('[data-confirm]');
  const problem = find('[data-problem]');

  let shown = '';
  let stream: EventSource | undefined;
  let asking: number | undefined;
  let interval = 5;
  let until = 0;
  let lifetime = 120;
  let renewable = false;

  async function post(path: string, fields: Record<string, string> = {}): Promise<{ ok: boolean; status: number; body: unknown }> {
    const response = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ csrf, ...fields }),
    });
    return { ok: response.ok, status: response.status, body: await response.json().catch(() => ({})) };
  }

  /** Shows one part of the panel, and says it where it is news. */
  function show(part: string, options: { again?: boolean; cancel?: boolean } = {}) {
    const isNews = part !== shown;
    shown = part;
    root.dataset['state'] = part;
    const held = root.contains(document.activeElement);
    for (const each of root.querySelectorAll<HTMLElement>('[data-when]')) {
      each.hidden = each.dataset['when'] !== part;
      if (!each.hidden && isNews && live && each.dataset['said']) live.textContent = each.dataset['said'];
    }
    if (again) again.hidden = !options.again;
    if (cancel) cancel.hidden = !options.cancel;
    if (actions) actions.hidden = !options.again && !options.cancel;
    if (!isNews) return;
    if (part === 'approved') askForCode();
    // Who used the keyboard here must not fall back to the top of the page when a part disappears.
    else if (held && options.again) again?.focus();
  }

  /** While the phone or the person is expected to do something. */
  function waits() {
    return shown === 'pending' || shown === 'scanned' || shown === 'approved';
  }

  function askForCode() {
    if (problem) problem.hidden = true;
    const input = confirmForm?.querySelector<HTMLInputElement>('input[name=code]');
    if (!input) return;
    input.value = '';
    input.removeAttribute('aria-invalid');
    input.focus();
  }

  function stop() {
    stream?.close();
    stream = undefined;
    clearTimeout(asking);
    asking = undefined;
  }

  function end(part: string) {
    stop();
    show(part, { again: part !== 'consumed' });
  }

  async function start(renew: boolean) {
    stop();
    if (!renew) show('starting');
    try {
      const { ok, status, body } = await post('/qr/start', renew ? { renew: '1' } : {});
      if (status === 403 && reloadOnce()) return;
      if (!ok) return end(status === 429 ? 'busy' : renew && status === 410 ? 'expired' : 'failed');
      const news = body as News;
      interval = news.interval ?? interval;
      for (const code of root.querySelectorAll('[data-user-code]')) code.textContent = news.user_code ?? '';
      hear(news);
      if (isLive(news.state)) listen();
    } catch {
      end('failed');
    }
  }

  function hear(news: News) {
    if (news.frame) frame(news.frame);
    until = Date.now() + news.expires_in * 1000;
    if (news.state === 'pending') lifetime = Math.max(news.expires_in, shown === 'pending' ? lifetime : 0);
    renewable = news.renew === true;
    // Nobody looks at a page in the background: it gets its new QR when somebody does.
    if (renewable && !document.hidden) return void start(true);
    if (news.state === 'confirmed') {
      if (shown === 'confirmed') return;
      stop();
      show('confirmed');
      return find<HTMLFormElement>('[data-redeem]')?.submit();
    }
    if (!isLive(news.state)) return end(endingOf(news));
    // Before a phone has scanned there is nothing to cancel here, and the page's own way back stands below.
    show(news.state, { cancel: news.state !== 'pending' });
    tick();
  }

  function frame(text: string) {
    for (const svg of root.querySelectorAll('[data-code]')) draw(svg, text);
    for (const link of root.querySelectorAll<HTMLAnchorElement>('[data-link]')) link.href = text;
    root.dataset['link'] = text;
  }

  function listen() {
    if (!('EventSource' in window)) return ask();
    const source = new EventSource(`${base}/qr/events`);
    stream = source;
    source.addEventListener('frame', (event) => frame(event.data as string));
    source.addEventListener('state', (event) => hear(JSON.parse(event.data as string) as News));
    source.addEventListener('elsewhere', () => end('elsewhere'));
    source.addEventListener('error', () => {
      // The browser tries again by itself while it says so; meanwhile the page asks, so that nothing is missed.
      if (stream !== source) return;
      if (source.readyState === EventSource.CLOSED) stream = undefined;
      ask();
    });
    source.addEventListener('open', () => {
      clearTimeout(asking);
      asking = undefined;
    });
  }

  /** Asks once in a while, as long as no stream is open. */
  function ask(after = interval) {
    asking ??= window.setTimeout(() => {
      asking = undefined;
      void poll();
    }, after * 1000);
  }

  async function poll() {
    try {
      const response = await fetch(`${base}/qr/status`, { headers: { accept: 'application/json' } });
      if (response.status === 404) return end('failed');
      if (response.ok) hear((await response.json()) as News);
      if (waits() && !stream) ask(Number(response.headers.get('retry-after')) || interval);
    } catch {
      ask(interval);
    }
  }

  function tick() {
    const left = Math.max(0, Math.round((until - Date.now()) / 1000));
    const words = find('[data-left]');
    if (words) words.textContent = (words.dataset['words'] ?? '%').replace('%', String(left));
    find('[data-ring]')?.setAttribute('stroke-dashoffset', String(100 - (100 * left) / lifetime));
  }

  async function confirm(event: SubmitEvent) {
    event.preventDefault();
    const input = confirmForm?.querySelector<HTMLInputElement>('input[name=code]');
    if (!input) return;
    const { ok, body } = await post('/qr/confirm', { code: input.value }).catch(() => ({ ok: false, body: {} }));
    if (ok) return hear(body as News);
    const refusal = body as Refusal;
    if (refusal.state && !isLive(refusal.state)) return end(endingOf({ state: refusal.state, reason: refusal.reason }));
    const word = refusal.error === 'invalid_request' ? 'digits' : refusal.error === 'locked' ? 'locked' : refusal.tries_left === 1 ? 'wrongLast' : 'wrong';
    if (refusal.error === undefined) return end('failed');
    if (problem) {
      problem.textContent = problem.dataset[word] ?? '';
      problem.hidden = false;
    }
    input.setAttribute('aria-invalid', 'true');
    input.select();
  }

  again?.addEventListener('click', () => void start(false));
  cancel?.addEventListener('click', () => {
    void post('/qr/cancel').then(
      ({ ok, body }) => (ok ? hear(body as News) : end('cancelled')),
      () => end('cancelled'),
    );
  });
  confirmForm?.addEventListener('submit', (event) => void confirm(event));
  find('[data-copy]')?.addEventListener('click', (event) => {
    const button = event.currentTarget as HTMLElement;
    void navigator.clipboard?.writeText(root.dataset['link'] ?? '').then(() => {
      if (live) live.textContent = button.dataset['copied'] ?? '';
      button.textContent = button.dataset['copied'] ?? '';
    });
  });
  // A phone's browser sleeps while its app is open: look at once when the person comes back.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    if (shown === 'expired' && renewable) return void start(true);
    if (!waits()) return;
    if (!stream || stream.readyState !== EventSource.OPEN) void poll();
  });
  // Back from the relying site, the browser may show this page as it was left.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) void start(false);
  });
  window.setInterval(() => {
    if (shown === 'pending') tick();
  }, 1000);

  void start(false);
}

for (const root of document.querySelectorAll<HTMLElement>('[data-qr]')) panel(root);
