import { ApolloProvider } from '@apollo/client/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, Link, Outlet, ScrollRestoration, useLocation } from 'react-router'
import { RouterProvider } from 'react-router/dom'
import '@picocss/pico/css/pico.jade.min.css'
import './style.css'
import { Catalogue } from './catalogue'
import { client } from './client'
import { ProductPage } from './product-page'

// The API has no list of categories. These are the ones of the demo data.
const categories = ['Home', 'Electronics', 'Books', 'Kitchen', 'Clothing', 'Sports', 'Toys', 'Garden', 'Beauty', 'Office']
const links = [{ name: 'Everyday', to: '/' }, ...categories.map((name) => ({ name, to: `/?category=${name}` }))]

function Layout() {
  const { pathname, search } = useLocation()
  const address = pathname + search
  return (
    <>
      <nav aria-label="Categories">
        {links.map(({ name, to }) => (
          <Link key={to} to={to} aria-current={to === address ? 'page' : undefined}>
            {name}
          </Link>
        ))}
      </nav>
      <Outlet key={address} />
      <ScrollRestoration />
    </>
  )
}

const pages = [
  { path: '/', element: <Catalogue /> },
  { path: '/products/:id', element: <ProductPage /> },
  { path: '*', element: <h1>There is no such page</h1> },
]
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <ApolloProvider client={client}>
      <RouterProvider router={createBrowserRouter([{ element: <Layout />, children: pages }])} />
    </ApolloProvider>
  </StrictMode>,
)
