// What Datasette 0.65's pages lack for whoever has them read aloud: their language, and names for some fields.

const NAMES = {
  "[name^='_filter_column']": "Column",
  "[name^='_filter_op']": "Comparison",
  "[name^='_filter_value'], .filter-value": "Value",
  "[name='_sort']": "Sort by",
  ".CodeMirror textarea, textarea#sql-editor": "SQL",
};

function name() {
  for (const [fields, words] of Object.entries(NAMES))
    for (const field of document.querySelectorAll(fields)) if (!field.labels?.length) field.ariaLabel ??= words;
}

document.documentElement.lang = "en";
name();
addEventListener("load", () => setTimeout(name)); // the editor of SQL is made when the page has loaded
