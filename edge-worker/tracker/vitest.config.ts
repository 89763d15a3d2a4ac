/** How the pure parts are tested; the rest is tested in a real browser by tests/browser. */
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['tests/**/*.test.ts'], environment: 'node' }, define: { RUNTIME: 'true' } });
