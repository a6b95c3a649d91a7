/** The pages and their addresses; each page is a file of its own that loads when it is first visited. */
import { shallowRef } from 'vue';
import { createRouter, createWebHistory } from 'vue-router';

export const router = createRouter({
  history: createWebHistory('/dashboard/'),
  routes: [
    { path: '/', name: 'overview', component: () => import('./pages/OverviewPage.vue'), meta: { title: 'Overview' } },
    { path: '/coin/:symbol?', name: 'coin', component: () => import('./coin/CoinPage.vue'), meta: { title: 'Coin' } },
    { path: '/flow', name: 'flow', component: () => import('./pages/FlowPage.vue'), meta: { title: 'Flow' } },
    {
      path: '/record/:symbol?',
      name: 'record',
      component: () => import('./pages/RecordPage.vue'),
      meta: { title: 'Record' },
    },
    { path: '/status', name: 'status', component: () => import('./pages/StatusPage.vue'), meta: { title: 'Status' } },
    { path: '/:rest(.*)*', name: 'missing', component: () => import('./pages/MissingPage.vue'), meta: { title: 'Not found' } },
  ],
  // The first page is at its top by itself; scrolling there would lay it out half built.
  scrollBehavior: (_to, from, saved) => saved ?? (from.matched.length > 0 ? { top: 0 } : false),
});

/** The page that was asked for and whose file did not come: the service is away, or was replaced by a newer one. */
export const unreached = shallowRef<{ title: string; href: string } | null>(null);

router.onError((_error, to) => {
  unreached.value = { title: String(to.meta['title'] ?? 'page'), href: router.resolve(to.fullPath).href };
});

router.afterEach((to) => {
  unreached.value = null;
  const symbol = typeof to.params['symbol'] === 'string' && to.params['symbol'] ? `${to.params['symbol']} · ` : '';
  document.title = `${symbol}${String(to.meta['title'] ?? '')} · Futures signals`;
});
