// Diagrams are rendered by the bundle of mermaid.js in this site; it is loaded when a page has a diagram.
// The theme asks for a global `mermaid` and would otherwise load one from elsewhere.
(() => {
  const bundle = new URL("mermaid/index.js", document.currentScript.src)
  let configuration = {}

  const escaped = (text) => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)

  window.mermaid = {
    initialize(given) {
      configuration = given
    },
    async render(id, text) {
      let mermaid
      try {
        ;({ mermaid } = await import(bundle))
      } catch (error) {
        // Browsers import no modules from files: the source of the diagram is shown instead.
        console.warn("diagrams need the site to be served over HTTP:", error)
        return { svg: `<pre>${escaped(text)}</pre>` }
      }
      mermaid.initialize(configuration)
      return mermaid.render(id, text)
    },
  }
})()
