/**
 * How many of many parts to have in the page: the first at once, the others a few with each frame. What is on the
 * screen is there first, and no single task builds everything.
 */
import { onMounted, onScopeDispose, ref, watch, type Ref } from 'vue';

/** `total` is read anew each time; with parts missing it goes on. Call in a component's setup. */
export function useGrowing(total: () => number, first: number, step: number): Readonly<Ref<number>> {
  const shown = ref(first);
  let frame: number | null = null;

  function grow(): void {
    frame = null;
    shown.value += step;
    next();
  }

  function next(): void {
    if (shown.value < total()) frame ??= requestAnimationFrame(grow);
  }

  onMounted(() => watch(total, next, { immediate: true, flush: 'post' }));
  onScopeDispose(() => frame !== null && cancelAnimationFrame(frame));
  return shown;
}
