// Theme and density: at once on this page, and by a cookie on the next, so that no page flashes.
const YEAR = 365 * 24 * 3600;
const apply = {
  theme: value => { if (value) document.documentElement.dataset.theme = value; else delete document.documentElement.dataset.theme; },
  density: value => document.querySelectorAll("[data-density]").forEach(list => { list.dataset.density = value; }),
};
document.addEventListener("click", event => {
  const button = event.target.closest("[data-choose] button");
  if (!button) return;
  const { choose } = button.closest("[data-choose]").dataset;
  document.cookie = `${choose}=${button.value}; path=/; max-age=${button.value ? YEAR : 0}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  document.querySelectorAll(`[data-choose="${choose}"] button`).forEach(other => other.setAttribute("aria-pressed", String(other.value === button.value)));
  apply[choose](button.value);
});
