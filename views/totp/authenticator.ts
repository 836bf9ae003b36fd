import '../factors/send-once.ts';

/** The page that shows a seed: a button that copies the key. Without this script the key is there to be selected. */
const key = document.querySelector<HTMLElement>('[data-key]');
const button = document.querySelector<HTMLButtonElement>('[data-copy]');
const told = document.querySelector<HTMLElement>('[data-copied]');

if (key && button && told && 'clipboard' in navigator) {
  button.hidden = false;
  button.addEventListener('click', () => {
    // The spaces are for the eye alone.
    navigator.clipboard.writeText((key.textContent ?? '').replace(/\s/g, '')).then(
      () => (told.textContent = told.dataset['copied'] ?? ''),
      () => select(key),
    );
  });
}

/** Where the browser lets no page copy, the key is at least selected. */
function select(element: HTMLElement) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection?.removeAllRanges();
  selection?.addRange(range);
}
