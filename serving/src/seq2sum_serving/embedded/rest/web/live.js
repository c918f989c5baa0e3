// Polls the state of the server while somebody looks at the page: it is visible and has the focus.

const POLL_MS = 2000;

const isWatched = () => !document.hidden && document.hasFocus();

// Calls `show` with each state, and `report` with "live", "paused" or "lost".
export function follow(show, report) {
  let timer, isAsking = false;

  async function refresh() {
    clearTimeout(timer);
    if (isAsking) return;
    isAsking = true;
    const state = await fetch("models.json").then((reply) => reply.json()).catch(() => null);
    isAsking = false;
    if (isWatched()) timer = setTimeout(refresh, POLL_MS);
    report(state === null ? "lost" : isWatched() ? "live" : "paused");
    if (state !== null) show(state);
  }

  function changed() {
    if (isWatched()) return refresh();
    clearTimeout(timer);
    report("paused");
  }

  for (const name of ["focus", "blur"]) window.addEventListener(name, changed);
  document.addEventListener("visibilitychange", changed);
  // The first state belongs to the loading of the page, unless it opens in the background.
  if (document.hidden) report("paused");
  else refresh();
}
