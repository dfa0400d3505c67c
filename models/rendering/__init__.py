"""Pictures: the GL scene, renderer, shadows, clothing, compositing over the background plate, film strips, pages."""
