// Runs before anything is drawn, so that the page never shows the wrong colours first.

(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("fuseboard.theme");
  } catch {
    // Without storage the system's choice holds.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
