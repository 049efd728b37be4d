// Before the first paint, so that the page never flashes in the other theme.
try {
  const chosen = localStorage.getItem("foregate.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is forbidden here: the system's preference stands.
}
