import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The built page lies inside the Python package; only control serves it. `npm run dev` talks to a running console.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/foregate/control/console/assets",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no inline script
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8090", "/login": "http://127.0.0.1:8090" } },
});
