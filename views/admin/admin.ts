import '../factors/send-once.ts';

/** The admin pages: buttons that copy, and pages that show something once. Without this script all of it is there to be selected. */
const said = document.querySelector<HTMLElement>('[data-said]');

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-copy]')) {
  const source = document.getElementById(button.dataset['copy'] ?? '');
  if (!source || !('clipboard' in navigator)) continue;
  button.hidden = false;
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(source.textContent ?? '').then(
      () => tell(said?.dataset['copied']),
      () => {
        // Where the browser lets no page copy, the text is at least selected.
        getSelection()?.selectAllChildren(source);
        tell(said?.dataset['failed']);
      },
    );
  });
}

function tell(words = '') {
  if (said) said.textContent = words;
}

const once = document.querySelector<HTMLElement>('[data-shown-once]');
if (once) {
  const { next = '/' } = once.dataset;
  // The address of this page is a form's: loading it again would send that again.
  history.replaceState(null, '', next);
  // Who comes back to a page that the browser has kept finds no secret on it.
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.replace(next);
  });
}
