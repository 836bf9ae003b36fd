/**
 * Forms whose answer is shown once: pressed twice, the second answer would take the place of the first. Without this script
 * whoever presses twice is told less, and nothing is done twice.
 */
const PATIENCE_MS = 10_000;

for (const form of document.querySelectorAll<HTMLFormElement>('form[data-once]')) {
  let sentAt = -Infinity;
  form.addEventListener('submit', (event) => {
    if (event.timeStamp - sentAt < PATIENCE_MS) event.preventDefault();
    else sentAt = event.timeStamp;
  });
  // Who comes back to the page has seen the answer, or none.
  addEventListener('pageshow', () => (sentAt = -Infinity));
}
