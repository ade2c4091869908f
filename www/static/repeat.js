// Does something again and again while somebody looks: a page in a hidden tab rests,
// and is brought up to date when it is looked at again.

// Runs `task` at once, and `intervalMs()` after each end of it.
export function repeatWhileVisible(task, intervalMs) {
  let timer;
  let running = false;
  const run = async () => {
    clearTimeout(timer);
    if (running || document.hidden) return;
    running = true;
    await task();
    running = false;
    timer = setTimeout(run, intervalMs());
  };
  document.addEventListener("visibilitychange", run);
  run();
}
