/** Whether an element is on the screen, or nearly: parts below the fold ask for nothing. */
import { onBeforeUnmount, onMounted, ref, type Ref } from 'vue';

const AHEAD = '240px 0px';

/** `seen` stays true once the element was near the screen; `visible` follows it. */
export function useVisible(element: Ref<HTMLElement | null>): { visible: Ref<boolean>; seen: Ref<boolean> } {
  const visible = ref(false);
  const seen = ref(false);
  let observer: IntersectionObserver | undefined;
  onMounted(() => {
    if (!element.value) return;
    observer = new IntersectionObserver(
      (entries) => {
        visible.value = entries[entries.length - 1]?.isIntersecting ?? false;
        seen.value ||= visible.value;
      },
      { rootMargin: AHEAD },
    );
    observer.observe(element.value);
  });
  onBeforeUnmount(() => observer?.disconnect());
  return { visible, seen };
}
