/**
 * The page that shows recovery codes, once: copies, saves and prints them. Without this script the list can be marked and copied by hand.
 */
const page = document.querySelector<HTMLElement>('[data-codes]');
if (page) equip(page);

function equip(root: HTMLElement) {
  const { next = '/', file = 'recovery-codes.txt' } = root.dataset;
  const part = <E extends HTMLElement>(name: string) => root.querySelector<E>(`[data-${name}]`);
  const codes = [...root.querySelectorAll('[data-list] code')].map((code) => code.textContent ?? '');
  const text = [part('for')?.textContent ?? '', '', ...codes, ''].join('\n');
  const said = part('said');
  const tell = (words = '') => {
    if (said) said.textContent = words;
  };

  // The address of this page is a form's: loading it again would send that again.
  history.replaceState(null, '', next);
  // Who comes back to a page that the browser has kept finds no codes on it.
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.replace(next);
  });

  const copy = part<HTMLButtonElement>('copy');
  copy?.addEventListener('click', () => {
    navigator.clipboard.writeText(text).then(
      () => tell(copy.dataset['copied']),
      () => tell(copy.dataset['failed']),
    );
  });
  if (copy && !('clipboard' in navigator)) copy.hidden = true;

  part('download')?.addEventListener('click', () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
    link.download = file;
    link.click();
    // Not at once: some browsers read it only after this.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });

  part('print')?.addEventListener('click', () => print());

  const tools = part('tools');
  if (tools) tools.hidden = false;
}
