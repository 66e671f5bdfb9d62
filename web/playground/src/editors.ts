import { useMonaco } from "@graphiql/react";
import { useEffect } from "react";

/** What Escape closes first, where it is open. */
const open = ["suggestWidgetVisible", "findWidgetVisible", "parameterHintsVisible", "renameInputVisible", "inSnippetMode"];

/**
 * Gives the editors what they lack for those who use no mouse: Tab stops at the box around each and Enter goes in, where Tab is a
 * key like any other. Escape comes out again, to the box. Lines that are too long are broken.
 */
export function Editors(): null {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    if (!monaco) return;
    const { editor: editors, KeyCode } = monaco;
    const mend = (editor: ReturnType<typeof editors.create>) => {
      const box = editor.getContainerDomNode();
      const name = box.ariaLabel ?? box.closest("[aria-label]")?.ariaLabel;
      if (name) box.ariaLabel = name;
      box.role = "group";
      box.setAttribute("aria-describedby", "keys");
      editor.updateOptions({ wordWrap: "on" });
      editor.addAction({
        id: "gatehouse.leave",
        label: "Leave the Editor",
        keybindings: [KeyCode.Escape],
        precondition: open.map((key) => `!${key}`).join(" && "),
        run: () => box.focus(),
      });
    };
    const created = editors.onDidCreateEditor((editor) => mend(editor as ReturnType<typeof editors.create>));
    for (const editor of editors.getEditors()) mend(editor as ReturnType<typeof editors.create>);
    return () => created.dispose();
  }, [monaco]);
  return null;
}
