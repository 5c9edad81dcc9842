// Light, dark, or as the system has it.

const KEPT = "txproxy-theme";
const ORDER = ["auto", "light", "dark"];
const SIGNS = {auto: "◐", light: "☀", dark: "☾"};
const WORDS = {auto: "as the system has it", light: "light", dark: "dark"};

export function beginTheme(button, changed) {
  let theme = localStorage.getItem(KEPT);
  if (!ORDER.includes(theme)) theme = "auto";
  const show = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = SIGNS[theme];
    button.title = `Colours: ${WORDS[theme]}`;
    changed();
  };
  button.addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    localStorage.setItem(KEPT, theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  show();
}
