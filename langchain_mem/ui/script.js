// "/" goes to the search; a toggle or a category shows its result at once.
addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.querySelector("header input[type=search]").select();
  }
});
for (const field of document.querySelectorAll(".filters select, .filters [type=checkbox]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
