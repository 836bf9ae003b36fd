import Router from '@koa/router';
import Koa from 'koa';
import { serve } from './serve.ts';

/** A status endpoint as small as Koa allows: a router, a map, a JSON answer; and one that answers the same to everybody. */
await serve(async () => {
  const states = new Map([['page', { state: 'pending', expires_in: 120 }]]);
  const router = new Router();
  router.get('/interaction/:uid/qr/status', (ctx) => {
    ctx.body = states.get(ctx.params['uid']!);
  });
  router.get('/notes', (ctx) => {
    ctx.body = { notes: [] };
  });
  const app = new Koa();
  app.use(router.routes());
  return { listener: app.callback() };
});
