import '../factors/send-once.ts';
import QRCode from 'qrcode';

/**
 * The page on which a phone is enrolled: draws the QR, counts down, and follows the enrolment as the phone goes on.
 * Without this script the page shows the server's QR, and its form is there all the time.
 */
const POLL_MS = 2000;
const ENDED = ['confirmed', 'failed', 'expired', 'cancelled'];

const root = document.getElementById('enrolment');
if (root) follow(root);

function follow(page: HTMLElement) {
  const { link, status } = page.dataset;
  const countdown = page.querySelector<HTMLElement>('[data-countdown]');
  const confirm = page.querySelector<HTMLFormElement>('[data-confirm]');
  let state = page.dataset['state'] ?? 'pending';
  let until = Date.now() + Number(page.dataset['expires']) * 1000;

  if (link) draw(page, link);
  show();
  const clock = setInterval(tick, 1000);
  let poll = setTimeout(() => void ask(), POLL_MS);
  // A page that was in the background asks at once when it is looked at again.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || ENDED.includes(state)) return;
    clearTimeout(poll);
    void ask();
  });
  tick();

  function show() {
    page.dataset['state'] = state;
    for (const part of page.querySelectorAll<HTMLElement>('[data-when]')) part.hidden = part.dataset['when'] !== state;
    const ended = ENDED.includes(state);
    if (confirm) confirm.hidden = state !== 'enrolled';
    const cancel = page.querySelector<HTMLFormElement>('[data-cancel]');
    if (cancel) cancel.hidden = ended;
    const again = page.querySelector<HTMLElement>('[data-again]');
    if (again) again.hidden = !ended || state === 'confirmed';
    if (state === 'enrolled') confirm?.querySelector<HTMLInputElement>('input[name=code]')?.focus();
  }

  function tick() {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    if (countdown) countdown.textContent = (countdown.dataset['words'] ?? '%').replace('%', time);
  }

  // The answer to the form may show what is shown once: it must not be left for another page on the way.
  let leaving = false;
  confirm?.addEventListener('submit', () => {
    leaving = true;
    clearTimeout(poll);
  });

  async function ask() {
    if (leaving) return;
    try {
      const response = await fetch(status ?? '', { headers: { accept: 'application/json' } });
      if (response.status === 404) return move('expired');
      if (!response.ok) return again();
      const answer = (await response.json()) as { state: string; expires_in: number; device?: { name: string } };
      until = Date.now() + answer.expires_in * 1000;
      const name = page.querySelector('[data-device]');
      if (name && answer.device) name.textContent = answer.device.name;
      move(answer.state);
    } catch {
      again();
    }
  }

  function again() {
    clearTimeout(poll);
    if (leaving) return;
    poll = setTimeout(() => void ask(), POLL_MS);
  }

  function move(next: string) {
    if (leaving) return;
    if (next !== state) {
      state = next;
      show();
      if (next === 'confirmed' && page.dataset['done']) location.assign(page.dataset['done']);
    }
    if (ENDED.includes(state)) clearInterval(clock);
    else again();
  }
}

function draw(page: HTMLElement, link: string) {
  const canvas = page.querySelector<HTMLCanvasElement>('[data-qr]');
  if (canvas) {
    // Dark on white with its quiet zone in both themes: many scanners do not read an inverted code.
    void QRCode.toCanvas(canvas, link, { margin: 4, scale: 6, errorCorrectionLevel: 'M' }).then(() => {
      canvas.hidden = false;
    });
  }
  const copy = page.querySelector<HTMLButtonElement>('[data-copy]');
  if (!copy || !navigator.clipboard) return;
  copy.hidden = false;
  copy.addEventListener('click', () => {
    void navigator.clipboard.writeText(link).then(() => {
      copy.textContent = copy.dataset['copied'] ?? '';
    });
  });
}
