/** Puts the page into the document. */
import { render } from "preact";
import { App } from "./app";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/bar.css";
import "./styles/trend.css";
import "./styles/panels.css";
import "./styles/dialogs.css";
import "./styles/states.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
